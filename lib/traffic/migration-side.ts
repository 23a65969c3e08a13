/** Which backend a thing belongs to. */
export enum MigrationSide {
  /** Serves today. */
  SOURCE = 'source',

  /** Will serve. */
  TARGET = 'target',
}
