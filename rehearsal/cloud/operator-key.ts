/** The key id under which a person (or the rehearsal itself) calls the endpoint; it may do everything. */
export const OPERATOR_KEY_ID = 'OPERATOR';
