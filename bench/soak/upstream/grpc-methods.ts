import type { MethodDefinition } from '@grpc/grpc-js';

/** Messages are plain bytes: no schema is needed. */
export const METHODS = {
  /** Gives back the message. */
  Echo: method('Echo', false, false),
  /** Fails with `FAILED_PRECONDITION`, and the message as its reason. */
  Fail: method('Fail', false, false),
  /** Never responds. */
  Hang: method('Hang', false, false),
  /** Of `COUNT:ID:PAUSE`: so many messages, `ID INDEX` each, so many milliseconds apart. */
  Count: method('Count', false, true),
  /** Says how many messages came, how many bytes, and their checksum. */
  Collect: method('Collect', true, false),
  /** Gives back every message. */
  Chat: method('Chat', true, true),
};

export type Method = MethodDefinition<Buffer, Buffer>;

function method(name: string, requestStream: boolean, responseStream: boolean): Method {
  const asIs = (bytes: Buffer) => bytes;
  return {
    path: `/soak.Service/${name}`,
    ...{ requestStream, responseStream },
    ...{ requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs },
  };
}
