import pLimit from 'p-limit';

const MAX_PARALLEL = 32;

/** All items, some at a time. Nothing new begins after a failure, and what had begun has ended when the first one is thrown. */
export async function inParallel<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<readonly Result[]> {
  const limit = pLimit(MAX_PARALLEL);
  const failures: unknown[] = [];
  const outcomes = await Promise.allSettled(
    items.map((item) =>
      limit(async () => {
        if (failures.length > 0) throw failures[0];
        return await work(item).catch((error: unknown) => {
          failures.push(error);
          throw error;
        });
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}
