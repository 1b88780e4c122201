import { sharedPrefixesSection } from './epoch/shared-prefixes.ts';
import { processesSection } from './processes/two-processes.ts';
import type { BenchRow } from './row.ts';
import { wasmSection } from './rows/wasm.ts';
import type { BenchContext, PeerFigure, Section, SectionReport, StepShares } from './section.ts';
import { startSection } from './start/first-step.ts';
import { costGroup, forwardGroup, forwardPackedGroup } from './steps/groups/forward.ts';
import { loraGroup } from './steps/groups/lora.ts';
import { largeQloraGroup, qloraGroup } from './steps/groups/qlora.ts';
import { stepSection } from './steps/run-group.ts';

/** Everything that is measured besides single kernels. */
export const sections: readonly Section[] = [
	stepSection(loraGroup(512)),
	stepSection(loraGroup(1024)),
	stepSection(qloraGroup),
	stepSection(forwardGroup),
	stepSection(forwardPackedGroup),
	startSection,
	sharedPrefixesSection,
	stepSection(costGroup),
	wasmSection,
	stepSection(largeQloraGroup),
	processesSection,
];

/** Runs the sections of which a row is wanted, one after the other. */
export async function runSections(context: BenchContext): Promise<Required<SectionReport>> {
	const { wants } = context.options;
	const rows: BenchRow[] = [];
	const steps = new Map<string, StepShares>();
	const peers: PeerFigure[] = [];
	let inputs: unknown;
	for (const section of sections) {
		if (!section.rowNames.some((name) => wants(name, section.optional))) continue;
		const report = await section.run(context);
		rows.push(...report.rows.filter(({ name }) => wants(name, section.optional)));
		for (const shares of report.steps ?? []) steps.set(shares.name, shares);
		peers.push(...(report.peers ?? []));
		inputs ??= report.inputs;
	}
	return { rows, steps: [...steps.values()], peers, inputs };
}
