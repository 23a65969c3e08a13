import { EVENT_DETAIL_TYPE, EVENT_SOURCE, METRIC_NAMESPACE, WEIGHT_METRIC } from '../../../core/proxy/events';

// Rules on the bus and dashboards of users are written with them.
test('the names of events and metrics stay', () => {
  expect([EVENT_SOURCE, EVENT_DETAIL_TYPE]).toEqual(['drainshift', 'Drainshift Cutover']);
  expect([METRIC_NAMESPACE, WEIGHT_METRIC]).toEqual(['Drainshift', 'Weight']);
});
