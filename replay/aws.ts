/** What needs the AWS SDK. Bundled for the command line, which brings no SDK of its own. */
export { createMskToken } from '../capture/kafka/msk-token';
export { openS3Source } from '../capture/s3/s3-source';
export { openSigner } from './sigv4/signer';
export { openS3Parked } from './s3/s3-parked';
export { openS3Text } from './s3/s3-text';
