/** Their login is one of the connection, and not of the request: who sends the next one over it is taken for the same user. */
const SCHEMES = /(?:^|,)[ \t]*(?:ntlm|negotiate|nego2|kerberos|credssp)(?=[ \t,]|$)/i;

/**
 * Whether an `Authorization` or `WWW-Authenticate` is that of a login that holds for the whole connection.
 *
 * @see RFC 4559 section 6
 */
export function isBoundLogin(value: string | undefined): boolean {
  return value !== undefined && SCHEMES.test(value);
}
