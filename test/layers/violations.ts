import { type Import, importsOf } from './imports-of.ts';
import { freeFolders, layerRules, singleHomes, SINK_CONTRACT, SINK_PARTS, sinkVendors } from './layer-rules.ts';

/** What a source file imports that its layer may not, one readable line each. */
export function violations(file: string, text: string): string[] {
  const layer = folderOf(file);
  const rule = layerRules[layer];
  if (rule === undefined && !freeFolders.includes(layer)) return file.includes('/') ? [`${file}: no layer is called ${layer}`] : [];
  return importsOf(file, text)
    .filter((each) => !isAllowed(file, each))
    .map(({ target, line, typeOnly }) => `${file}:${line} may not import ${target}${typeOnly ? ' (as a type)' : ''}`);
}

function isAllowed(file: string, { target, typeOnly }: Import): boolean {
  const layer = folderOf(file);
  // Tools and benchmarks start the servers that tests start; the product knows nothing of tests.
  if (!['test', 'tools', 'bench'].includes(layer) && target.startsWith('test/')) return false;
  const rule = layerRules[layer];
  if (rule === undefined) return true;
  if (layer === 'sinks') return isAllowedInSink(file, target);
  if (layer === 'clients' && singleHomes[target] !== undefined) return typeOnly || singleHomes[target].includes(file);
  return matches(rule.allowed, target) || (typeOnly && matches(rule.types ?? [], target));
}

/** A sink knows the contract, the parts and its own folder, never another sink; only the registry knows them all. */
function isAllowedInSink(file: string, target: string): boolean {
  const kind = kindOf(file);
  if (target.startsWith('sinks/')) return file === 'sinks/registry.ts' || matches([...SINK_CONTRACT, ...SINK_PARTS], target) || kindOf(target) === kind;
  return matches(layerRules['sinks']?.allowed ?? [], target) || (sinkVendors[kind] ?? []).includes(target);
}

/** `sinks/redis.ts` and `sinks/redis/scripts.ts` are both of the kind `redis`. */
function kindOf(file: string): string {
  return file.split('/')[1]?.replace(/\.ts$/, '') ?? '';
}

function folderOf(file: string): string {
  return file.split('/')[0] ?? '';
}

function matches(patterns: readonly string[], target: string): boolean {
  return patterns.some((pattern) => target === pattern || (/[/:]$/.test(pattern) && target.startsWith(pattern)));
}
