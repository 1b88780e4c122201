import { describe, expect, it } from 'vitest';
import { isKernel, kernelGroups, methodGroup } from './method-groups.ts';
import { createReferenceBackend } from './reference/reference-backend.ts';

describe('the groups of methods', () => {
	it('know every method that a backend has', () => {
		const methods = Object.entries(createReferenceBackend()).filter(([, member]) => {
			return typeof member === 'function';
		});
		expect(methods.length).toBeGreaterThan(40);
		for (const [name] of methods) {
			if (isKernel(name)) expect(kernelGroups, name).toContain(methodGroup(name));
		}
	});

	it('put linear layers with their adapters by direction, and memory apart from kernels', () => {
		expect(methodGroup('linearForward')).toBe(methodGroup('matmulNT'));
		expect(methodGroup('linearBackward')).toBe(methodGroup('loraBackward'));
		expect(methodGroup('linearForward')).not.toBe(methodGroup('linearBackward'));
		expect([isKernel('matmulNT'), isKernel('fill'), isKernel('download')]).toEqual([true, true, false]);
		expect(kernelGroups).not.toContain('memory');
	});

	it('refuse a name that is no method, inherited ones too', () => {
		for (const name of ['matmul', 'toString', '']) expect(() => methodGroup(name)).toThrow(RangeError);
	});
});
