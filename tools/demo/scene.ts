import type { Step, StepStage } from './steps.ts';

export interface Told extends Omit<StepStage, 'places'> {
  /** Writes the bundle anew, with what the rule does about drift, and has the worker take it. */
  readonly setDriftMode: (mode: 'heal' | 'warn') => Promise<void>;
}

/** Where a demo writes to: the destinations of an example's bundle, at addresses of this machine. */
export interface Scene {
  /** For people: what is there and where. */
  readonly shown: readonly (readonly [what: string, where: string])[];
  /** What the bundle reads its credentials from. */
  readonly credentials: Readonly<Record<string, string>>;
  /** Writes the example's bundle with the scene's own addresses. */
  writeBundle(target: string, repositoryUrl: string, driftMode: 'heal' | 'warn'): Promise<void>;
  tell(stage: Told): Promise<readonly Step[]>;
  /** For people who push something themselves: where to look for it. */
  readonly written: string;
  close(): Promise<void>;
}
