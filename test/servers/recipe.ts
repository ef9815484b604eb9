/** How one real server comes onto a machine. */
export interface Recipe {
  /** What a person calls it, in progress lines and skip reasons. */
  readonly title: string;
  /** The program's absolute path if the machine has it already; installs nothing. */
  locate(): Promise<string | undefined>;
  /** Installs or builds it; `progress` gets a line per long step. Throws with the reason if this machine cannot have it. */
  install(progress: (line: string) => void): Promise<string>;
}
