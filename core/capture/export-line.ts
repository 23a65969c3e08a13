import { NoTrafficStream, TrafficStream, decodeTrafficStream, encodeTrafficStream } from './traffic-stream';

/**
 * One record of a capture file, which is a gzip of such lines: `<key>|<base64 of a TrafficStream>`. The key is that of the record in
 * Kafka: its connection.
 *
 * @see https://github.com/opensearch-project/opensearch-migrations kafkaExport
 */
export function formatExportLine(stream: TrafficStream): string {
  return formatEncodedLine(stream.connectionId, encodeTrafficStream(stream));
}

export function formatEncodedLine(key: string, encoded: Uint8Array): string {
  return `${key}|${Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength).toString('base64')}\n`;
}

/** Of a line without its end. @throws NoTrafficStream that says what is wrong with it */
export function parseExportLine(line: string): TrafficStream {
  const separator = line.lastIndexOf('|');
  if (separator < 0) throw new NoTrafficStream("it must be '<key>|<base64>', and has no '|'");
  const text = line.slice(separator + 1);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0)
    throw new NoTrafficStream(`what follows '|' must be base64, and ${text.length} characters are not`);
  return decodeTrafficStream(Buffer.from(text, 'base64'));
}
