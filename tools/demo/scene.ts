import type { Step, StepStage } from './steps.ts';

/** Where a demo writes to: the destinations of an example's bundle, at addresses of this machine. */
export interface Scene {
  /** For people: what is there and where. */
  readonly shown: readonly (readonly [what: string, where: string])[];
  /** What the bundle reads its credentials from. */
  readonly credentials: Readonly<Record<string, string>>;
  /** Writes the example's bundle with the scene's own addresses. */
  writeBundle(target: string, repositoryUrl: string): Promise<void>;
  tell(stage: Omit<StepStage, 'places'>): Promise<readonly Step[]>;
  /** For people who push something themselves: where to look for it. */
  readonly written: string;
  close(): Promise<void>;
}
