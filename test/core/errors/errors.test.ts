import { CutoverError } from '../../../core/errors/errors';

test('an error of the catalogue has its code as its name, and the error that it wraps as its cause', () => {
  const cause = new Error('ECONNRESET');
  expect(new CutoverError('AwsUnavailable', 'S3 must respond, got ECONNRESET', { cause })).toMatchObject({
    name: 'AwsUnavailable',
    code: 'AwsUnavailable',
    message: 'S3 must respond, got ECONNRESET',
    cause,
  });
  expect(new CutoverError('NoTasks', 'none')).not.toHaveProperty('cause');
});
