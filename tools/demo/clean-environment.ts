/**
 * Makes this process and its children deaf to what the machine is set up for: another Temporal, another varTrack, a person's Git settings, and a proxy
 * that would be asked for addresses of this machine.
 */
export function cleanEnvironment(configFile: string): void {
  for (const name of Object.keys(process.env)) if (/^(TEMPORAL|VARTRACK|GIT)_/.test(name)) delete process.env[name];
  Object.assign(process.env, { TEMPORAL_CONFIG_FILE: configFile, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0' });
  const exceptions = [process.env['no_proxy'] ?? process.env['NO_PROXY'], '127.0.0.1', 'localhost'].filter(Boolean).join(',');
  Object.assign(process.env, { no_proxy: exceptions, NO_PROXY: exceptions });
}
