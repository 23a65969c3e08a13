/** Why a rehearsal was stopped: no reader is left for what it says (`rehearse | head -1`). */
export class OutputGone extends Error {
  override readonly name = 'OutputGone';
}
