import { Place } from '../../operations/operation';
import { QueryService } from '../../protocols/query';

/** Of STS, the one action that tools ask first. No caller needs a right for it. */
export function stsService({ account }: Place): QueryService {
  const getCallerIdentity = {
    isFree: true,
    run: (_input: unknown, principal: string) => ({
      Arn: `arn:aws:iam::${account}:user/${principal}`,
      UserId: principal,
      Account: account,
    }),
  };
  return {
    prefix: 'sts',
    version: '2011-06-15',
    namespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
    invalidCode: 'ValidationError',
    operations: new Map([['GetCallerIdentity', getCallerIdentity]]),
  };
}
