/** How the events of a cutover are found on a bus: `source` and `detail-type`. Their `detail` is an `AnnouncementDetail`. */
export const EVENT_SOURCE = 'drainshift';
export const EVENT_DETAIL_TYPE = 'Drainshift Cutover';

/** The metrics of a cutover: `Weight` by `Side`, and by `Cutover` and `Side` where an account has several. */
export const METRIC_NAMESPACE = 'Drainshift';
export const WEIGHT_METRIC = 'Weight';
/** 1 where a cutover would be rejected, 0 where it would not; nothing where that is not known. */
export const REFUSED_METRIC = 'CutoverWouldBeRejected';
