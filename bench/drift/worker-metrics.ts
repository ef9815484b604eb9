/** What a Prometheus endpoint says of its counters and histograms, summed over their labels. */
export type Metrics = (name: string, labels?: RegExp) => number;

export async function readMetrics(url: string): Promise<Metrics> {
  const lines = (await (await fetch(url)).text()).split('\n');
  return (name, labels = /^/) => {
    const found = lines.filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && labels.test(line));
    return found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  };
}
