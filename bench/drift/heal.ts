export async function measureHeals(_: { readonly edits: number; readonly intervalSeconds: number; readonly kinds: readonly string[] }): Promise<void> {
  throw new Error('later');
}
