import type { ResolveCredential } from '../../sinks/sink.ts';
import { abortable } from './abortable.ts';
import type { VaultHttp, VaultPlace } from './http.ts';
import { type Grant, grantOf, isAlive, logIn } from './login.ts';
import { SecretError } from './secret-error.ts';

/** One login of a process at one manager, shared by all who read. */
export interface VaultSession {
  /** A token that should be good. Logs in if there is none. */
  token(signal: AbortSignal): Promise<string>;
  /**
   * Finds out why a request with this token was forbidden: the token is good and the policy says no (`denied`), it was dead and there is another one
   * now (`replaced`), or it is dead and the only one there is (`dead`).
   */
  forbidden(token: string, signal: AbortSignal): Promise<'denied' | 'replaced' | 'dead'>;
  /** Gives the token back to Vault where it was made for this session; best effort. */
  close(): Promise<void>;
}

interface Held extends Grant {
  /** When it is as good as dead. */
  readonly untilMs: number;
}

/** A refused login is not tried again at once: Vault locks users out who guess. */
const REFUSED_FOR_MS = 5_000;
const REVOKE_WITHIN_MS = 2_000;
const SHORTEST_WAIT_MS = 100;
/** Longer than a timer of Node can be would be at once. */
const LONGEST_WAIT_MS = 24 * 3_600_000;

export function createVaultSession(vault: VaultPlace, http: VaultHttp, resolve: ResolveCredential): VaultSession {
  const closing = new AbortController();
  let held: Held | undefined;
  let login: Promise<Held> | undefined;
  let refused: { readonly error: SecretError; readonly untilMs: number } | undefined;
  const questions = new Map<string, Promise<boolean>>();
  let timer: NodeJS.Timeout | undefined;

  function hold(grant: Grant, askedMs: number, firstLeaseMs = grant.leaseMs): Held {
    clearTimeout(timer);
    const { leaseMs, renewable } = grant;
    const untilMs = leaseMs === null ? Infinity : askedMs + leaseMs - Math.min(leaseMs / 10, 5_000);
    held = { ...grant, untilMs };
    // Near the end of all renewals leases get shorter; then the next use logs in anew.
    const isFull = leaseMs !== null && firstLeaseMs !== null && leaseMs >= firstLeaseMs / 2;
    if (renewable && isFull && !closing.signal.aborted) renewAfter((leaseMs * 2) / 3 - (performance.now() - askedMs), held, firstLeaseMs);
    return held;
  }

  function renewAfter(waitMs: number, mine: Held, firstLeaseMs: number): void {
    const bounded = Math.min(Math.max(waitMs, SHORTEST_WAIT_MS), LONGEST_WAIT_MS);
    timer = setTimeout(() => void renew(mine, firstLeaseMs), bounded).unref();
  }

  /** Never throws: a token that cannot be renewed is used until it ends, and then there is a new login. */
  async function renew(mine: Held, firstLeaseMs: number): Promise<void> {
    const askedMs = performance.now();
    try {
      const answer = await http.send({ method: 'POST', path: 'auth/token/renew-self', token: mine.token, body: {} }, closing.signal);
      const grant = grantOf(answer);
      if (grant && held === mine) hold({ ...grant, token: mine.token }, askedMs, firstLeaseMs);
    } catch {
      if (held === mine && performance.now() < mine.untilMs) renewAfter((mine.untilMs - performance.now()) / 4, mine, firstLeaseMs);
    }
  }

  function startLogin(): Promise<Held> {
    const askedMs = performance.now();
    const mine = logIn(vault, http, resolve, closing.signal)
      .then(
        (grant) => {
          refused = undefined;
          return hold(grant, askedMs);
        },
        (error: unknown) => {
          if (closing.signal.aborted) throw new SecretError('unavailable', { manager: vault.name }, 'the connection was closed');
          if (error instanceof SecretError && error.reason === 'unauthorized') refused = { error, untilMs: performance.now() + REFUSED_FOR_MS };
          throw error;
        },
      )
      .finally(() => {
        if (login === mine) login = undefined;
      });
    return mine;
  }

  function ask(token: string): Promise<boolean> {
    const asked = questions.get(token) ?? isAlive(http, token, closing.signal).finally(() => questions.delete(token));
    questions.set(token, asked);
    return asked;
  }

  async function current(signal: AbortSignal): Promise<string> {
    if (held && performance.now() < held.untilMs) return held.token;
    if (refused && performance.now() < refused.untilMs) throw refused.error;
    return (await abortable((login ??= startLogin()), signal)).token;
  }

  return {
    token: current,
    forbidden: async (token, signal) => {
      if (held?.token === token && (await abortable(ask(token), signal))) return 'denied';
      // Others may have found out as well, and there may be a new one already.
      if (held?.token === token) {
        clearTimeout(timer);
        held = undefined;
      }
      return (await current(signal)) === token ? 'dead' : 'replaced';
    },
    close: async () => {
      const last = held;
      held = undefined;
      closing.abort();
      clearTimeout(timer);
      if (last && vault.manager.auth.method !== 'token')
        await http
          .send({ method: 'POST', path: 'auth/token/revoke-self', token: last.token, body: {} }, AbortSignal.timeout(REVOKE_WITHIN_MS))
          .catch(() => undefined);
    },
  };
}
