const BORING = new Set(['level', 'time', 'name', 'msg']);

/** A JSON line of our logger as a person reads it; anything else as it is. */
export function formatLogLine(line: string): string {
  const entry = parsed(line);
  if (!entry || typeof entry['msg'] !== 'string') return line;
  const rest = Object.entries(entry).flatMap(([key, value]) =>
    BORING.has(key) ? [] : [`${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`],
  );
  const level = entry['level'] === 'info' ? '' : `${String(entry['level']).toUpperCase()} `;
  return [`${level}${entry['msg']}`, ...rest].join(' ');
}

function parsed(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
