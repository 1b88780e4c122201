import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { cpuFeatures } from '@vulntune/engine';

export interface BenchOptions {
	readonly json: boolean;
	/** Whether a row of this name is wanted; rows that are `optional` only where a pattern names them. */
	readonly wants: (name: string, optional?: boolean) => boolean;
	/** Whether a setting of another program is wanted, by its name; `optional` as for rows. */
	readonly wantsPeer: (name: string, optional?: boolean) => boolean;
	readonly rounds: number;
	readonly isa: string;
	readonly threads: number;
}

export const USAGE = `usage: npm run bench -- [options]

  --json            one JSON object on the standard output instead of tables
  --only <pattern>  rows whose names hold the pattern; * stands for anything, several are separated by commas, and
                    those that begin with ! are left out
  --peers <pattern> the same for the settings of PyTorch: --peers fp32, --peers !compile, --peers none
  --rounds <n>      measurements of each row, of which the median counts (default 5)
  --isa <name>      an instruction set instead of the best of this machine
  --threads <n>     threads instead of one per core

PyTorch is measured beside ours where the variable VULNTUNE_PYTHON names an interpreter that has it.`;

/** Reads the command line; throws a TypeError for what it doesn't know. */
export function readOptions(values: readonly string[]): BenchOptions | 'help' {
	const { values: flags } = parseArgs({
		args: [...values],
		options: {
			json: { type: 'boolean', default: false },
			only: { type: 'string' },
			peers: { type: 'string' },
			rounds: { type: 'string', default: '5' },
			isa: { type: 'string', default: 'auto' },
			threads: { type: 'string', default: 'auto' },
			help: { type: 'boolean', default: false },
		},
	});
	if (flags.help) return 'help';
	return {
		json: flags.json,
		wants: nameFilter(flags.only),
		wantsPeer: nameFilter(flags.peers),
		rounds: count('rounds', flags.rounds),
		isa: flags.isa === 'auto' ? (cpuFeatures().best ?? 'auto') : flags.isa,
		threads: flags.threads === 'auto' ? availableParallelism() : count('threads', flags.threads),
	};
}

function count(name: string, text: string): number {
	const value = Number(text);
	if (!Number.isInteger(value) || value < 1)
		throw new TypeError(`--${name} is a whole number from 1, not ${text}`);
	return value;
}

function nameFilter(text: string | undefined): BenchOptions['wants'] {
	if (text === undefined) return (_, optional = false) => !optional;
	const patterns = text.split(',');
	const excluded = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
	const included = patterns.filter((pattern) => !pattern.startsWith('!'));
	const [without, within] = [excluded.map(expressionOf), included.map(expressionOf)];
	return (name, optional = false) => {
		if (without.some((expression) => expression.test(name))) return false;
		return within.length === 0 ? !optional : within.some((expression) => expression.test(name));
	};
}

/** Whether a pattern is the whole name; * stands for anything. */
export function matchesPattern(name: string, pattern: string): boolean {
	const found = expressionOf(pattern).exec(name);
	return found?.[0] === name;
}

function expressionOf(pattern: string): RegExp {
	const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
	return new RegExp(parts.join('.*'));
}
