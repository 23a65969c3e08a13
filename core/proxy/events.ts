/** How the events of a cutover are found on a bus: `source` and `detail-type`. Their `detail` is an `AnnouncementDetail`. */
export const EVENT_SOURCE = 'drainshift';
export const EVENT_DETAIL_TYPE = 'Drainshift Cutover';

/** The metrics of a cutover: `Weight` by `Side`, and by `Cutover` and `Side` where an account has several. */
export const METRIC_NAMESPACE = 'Drainshift';
export const WEIGHT_METRIC = 'Weight';
