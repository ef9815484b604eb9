/** The least that Temporal can be asked to do. */
export function emptyWorkflow(): Promise<void> {
  return Promise.resolve();
}
