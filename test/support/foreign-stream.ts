import { parse } from 'protobufjs';

/** The field numbers of OpenSearch Migrations, for a decoder that shares no code with ours. */
const { root } = parse(`syntax = "proto3";
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
message Data { bytes data = 1; }
message Segment { bytes data = 2; }
message Text { string message = 1; }
message Lengths { optional int32 firstLineByteLength = 1; optional int32 headersByteLength = 2; }
message Released { bool timedOut = 1; }
message Empty {}
message Observation {
  Timestamp ts = 1;
  oneof Capture {
    Empty bind = 2; Empty connect = 3; Data read = 4; Segment readSegment = 5; Released requestReleasedDownstream = 6; Data write = 8;
    Segment writeSegment = 9; Empty disconnect = 10; Empty close = 11; Text connectionException = 12; Empty segmentEnd = 14;
    Lengths endOfMessageIndicator = 15; Empty requestDropped = 16;
  }
}
message TrafficStream {
  string connectionId = 1; repeated Observation subStream = 2;
  oneof index { int32 number = 3; int32 numberOfThisLastChunk = 4; }
  string nodeId = 5; optional int32 priorRequestsReceived = 6; optional bool lastObservationWasUnterminatedRead = 7;
}`);
export const foreign = root.lookupType('TrafficStream');
