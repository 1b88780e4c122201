import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('peers.py', import.meta.url));

/** What PyTorch measures on the same card (peers.py), or undefined where this machine has none; says why. */
export function askPeers<Row>(what: string, sizes: readonly string[]): Row[] | undefined {
	const python = process.env.VULNTUNE_PYTHON || 'python3';
	const { status, stdout, stderr, error } = spawnSync(python, [script, what, ...sizes], {
		encoding: 'utf8',
		timeout: 180_000,
	});
	const rows = (stdout ?? '').split('\n').filter((line) => line.startsWith('{'));
	if (status !== 0) console.error(`PyTorch's ${what}: ${error?.message ?? stderr.trim().split('\n').at(-1)}`);
	if (rows.length === 0) return undefined;
	return rows.map((line) => JSON.parse(line) as Row);
}
