/** The engine could not answer, through no fault of the input: closed, overloaded, failed to start. Trying again may help. */
export class CueUnavailable extends Error {
  override readonly name = 'CueUnavailable';
}
