/** Runs of a property: as few as a quick suite can afford, times `VARTRACK_FUZZ` for a long look. */
export function fuzzRuns(fewest: number): number {
  return Math.ceil(fewest * Number(process.env['VARTRACK_FUZZ'] ?? '1'));
}
