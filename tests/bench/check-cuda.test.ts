import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { prepareStandIn } from '@vulntune/engine/backends/cuda/testing/stand-in.ts';
import { afterAll, describe, expect, it } from 'vitest';
import { assembleCheck } from '../../bench/cuda/pack.ts';
import { isNightly } from '../nightly/nightly.ts';

const { missing } = await prepareStandIn();
const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-check-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe.skipIf(missing !== undefined)('the check of a card', () => {
	const app = path.join(scratch, 'app');
	const check = (...args: readonly string[]) =>
		spawnSync(process.execPath, ['bench/cuda/main.ts', ...args], { cwd: app, encoding: 'utf8' });

	it('runs from the folder that is brought to a machine without the clone', () => {
		assembleCheck(app);
		// golden values take a quarter of a minute on the emulation
		const parts = isNightly ? ['driver', 'parity'] : ['driver'];
		const output = path.join(scratch, 'output');
		const { status, stderr } = check('--only', parts.join(), '--output', output);
		expect(status, stderr).toBe(0);
		const report = JSON.parse(readFileSync(path.join(output, 'all.json'), 'utf8'));
		expect(Object.keys(report)).toEqual(parts);
		expect(report.driver.result.cards).toMatchObject([{ name: 'stand-in', capability: 80 }]);
		if (isNightly) expect(report.parity.result).toMatchObject({ failures: [] });
	});

	// a hundred and sixty steps
	if (isNightly) {
		it('measures the host alone by a driver that does nothing', () => {
			const output = path.join(scratch, 'idle');
			const args = ['bench/cuda/main.ts', '--idle', '--only', 'step', '--output', output];
			const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
			expect(status, stderr).toBe(0);
			const { result } = JSON.parse(readFileSync(path.join(output, 'step.json'), 'utf8'));
			for (const { launches, hostMilliseconds, kernels } of Object.values<Record<string, unknown>>(result)) {
				expect(launches).toBeGreaterThan(200);
				expect(hostMilliseconds).toBeGreaterThan(0);
				expect(kernels).toContainEqual({ name: 'adamW', launches: 1, milliseconds: 0 });
			}
		});
	}

	it('refuses parts that it does not know', () => {
		const { status, stderr } = check('--only', 'driver,kernels', '--output', path.join(scratch, 'other'));
		expect(status).toBe(2);
		expect(stderr).toMatch(/--only: there is no part kernels\n.*driver, agreement/);
	});
});
