/** The alerts that are sent here, and their numbers (RFC 8446 section 6). */
export const ALERTS = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  record_overflow: 22,
  illegal_parameter: 47,
  decode_error: 50,
  user_canceled: 90,
} as const;

export type AlertName = keyof typeof ALERTS;

/** The peer broke a rule of TLS 1.3: `alert` is what it gets to know, and the connection ends. */
export class TlsFault extends Error {
  readonly code = 'ERR_TLS13_FAULT';

  constructor(
    readonly alert: AlertName,
    rule: string,
  ) {
    super(`${alert}: ${rule}`);
  }
}

/** The peer ended the connection with this alert. */
export class TlsAlertReceived extends Error {
  readonly code = 'ERR_TLS13_ALERT';

  constructor(readonly alert: number) {
    super(`the peer sent the TLS alert ${alert}`);
  }
}

/** The level of an alert says nothing in TLS 1.3, and most of them are fatal. */
const FATAL = 2;
const WARNING = 1;

export function formatAlert(name: AlertName): Buffer {
  const isClosure = name === 'close_notify' || name === 'user_canceled';
  return Buffer.from([isClosure ? WARNING : FATAL, ALERTS[name]]);
}

/**
 * @param content of a record of the type alert
 * @param length of what counts of it
 * @returns the number of the alert
 * @throws {TlsFault} where the record is not one alert (RFC 8446 section 5.1)
 */
export function readAlert(content: Buffer, length: number): number {
  if (length !== 2) throw new TlsFault('decode_error', 'an alert is two bytes in a record of its own');
  return content[1]!;
}
