import path from 'node:path';
import { writeFileAtomically } from '@vulntune/engine/formats/files.ts';
import { auditDataset } from '../audit/audit-dataset.ts';
import { renderAudit } from '../audit/audit-text.ts';
import { inspectDataset, renderInspection } from '../audit/inspect-dataset.ts';
import { readProjects } from '../audit/projects.ts';
import { loadAnySplits, renderSplit, splitDataset } from '../audit/split-dataset.ts';
import { isAuditPage, renderAuditPage } from '../report/audit-page.ts';
import { checkOutputFile } from '../run/output-file.ts';
import type { DatasetCommands } from './dataset.ts';

/** What does the work of `vulntune dataset audit|inspect|split`. */
export const datasetCommands: DatasetCommands = {
	async audit({ location, html, projects, onBadRow }) {
		if (html !== undefined) checkOutputFile(html, '--html', 'an audit', isAuditPage);
		const { splits } = await loadAnySplits(location, { onBadRow });
		const audit = auditDataset(splits, readProjects(projects));
		const lines = [renderAudit(audit)];
		if (html !== undefined) {
			const page = renderAuditPage(audit, path.basename(path.resolve(location)));
			writeFileAtomically(html, (append) => append(new TextEncoder().encode(page)));
			lines.push('', `The same with more pairs is in ${html}.`);
		}
		return { data: audit, text: lines.join('\n') };
	},
	async inspect({ location, projects, onBadRow }) {
		const inspection = inspectDataset(await loadAnySplits(location, { onBadRow }), readProjects(projects));
		return { data: inspection, text: renderInspection(inspection) };
	},
	async split(request) {
		const report = await splitDataset(request);
		return { data: report, text: renderSplit(report, request.output) };
	},
};
