import { textTable } from 'vulntune';
import type { Machine } from './machine.ts';
import type { BenchRow } from './row.ts';
import type { PeerFigure, StepShares } from './section.ts';

export interface BenchReport {
	readonly machine: Machine;
	readonly rows: readonly BenchRow[];
	/** Where the time of our steps goes. */
	readonly steps: readonly StepShares[];
	/** Every setting of the other programs, not only the best. */
	readonly peers: readonly PeerFigure[];
	/** What our steps ran on: real or random weights and functions. */
	readonly inputs: unknown;
}

/** The report for people. */
export function renderReport(report: BenchReport): string {
	const sections = [machineText(report.machine), rowsText(report.rows)];
	if (report.peers.length > 0) sections.push(peersText(report.peers));
	if (report.steps.length > 0) sections.push(sharesText(report.steps));
	if (report.inputs !== undefined) sections.push(`steps ran on ${JSON.stringify(report.inputs)}`);
	return sections.join('\n\n');
}

function machineText(machine: Machine): string {
	const { cpu, cores, memoryBytes, system, node, isa, threads, loadBefore, peaks } = machine;
	const facts = [
		`${cpu}, ${cores} cores, ${(memoryBytes / 2 ** 30).toFixed(1)} GiB, ${system}, Node ${node}`,
		`kernels: ${isa}, ${threads} threads; load before the bench ${loadBefore.toFixed(1)}`,
	];
	const table = Object.entries(peaks).map(([name, { fp32, bf16, int8 }]) => [
		name,
		...[fp32, bf16, int8].map(number),
	]);
	return [...facts, '', textTable([['peak in GFLOP/s', 'fp32', 'bf16', 'int8'], ...table])].join('\n');
}

function rowsText(rows: readonly BenchRow[]): string {
	const head = ['', 'ours', '', 'limit', 'of limit', 'peer', 'of peer', 'target', 'met'];
	const absent = new Set(rows.flatMap(({ peerAbsent }) => peerAbsent ?? []));
	const lines = rows.map((row) => [
		row.name,
		number(row.value),
		row.unit,
		number(row.limit),
		ratio(row.ofLimit),
		row.peer === null ? '' : `${number(row.peer.value)} (${row.peer.name})`,
		ratio(row.ofPeer),
		row.target ?? '',
		row.met === null ? '' : row.met ? 'yes' : 'no',
	]);
	const reasons = [...absent].map((reason) => `no peer: ${reason}`);
	const notes = rows.flatMap(({ name, note }) => (note === undefined ? [] : [`${name}: ${note}`]));
	return [textTable([head, ...lines]), ...reasons, ...notes].join('\n');
}

function peersText(peers: readonly PeerFigure[]): string {
	const lines = peers.map((peer) => [
		peer.name,
		number(peer.tokensPerSecond),
		number(peer.peakBytes / 2 ** 20),
	]);
	return textTable([['peers', 'tokens/s', 'peak MiB'], ...lines]);
}

function sharesText(steps: readonly StepShares[]): string {
	const kernels = new Set(steps.flatMap((step) => Object.keys(step.kernels)));
	const percent = (share: number | undefined) => (share === undefined ? '' : `${(100 * share).toFixed(1)} %`);
	const lines = [...kernels].map((kernel) => [kernel, ...steps.map((step) => percent(step.kernels[kernel]))]);
	return textTable([
		['share of a step', ...steps.map(({ name }) => name)],
		...lines,
		['outside kernels', ...steps.map(({ outside }) => percent(outside))],
	]);
}

function number(value: number | null): string {
	if (value === null) return '';
	if (value >= 100) return value.toFixed(0);
	return value >= 1 ? value.toFixed(1) : value.toFixed(4);
}

function ratio(value: number | null): string {
	return value === null ? '' : value.toFixed(3);
}
