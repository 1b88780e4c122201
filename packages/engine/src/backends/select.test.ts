import { beforeEach, expect, it, vi } from 'vitest';
import { loadNative } from './cpu/native.ts';
import { createBackend } from './select.ts';
import { loadWasm } from './wasm/node.ts';

vi.mock(import('./cpu/native.ts'), { spy: true });
vi.mock(import('./wasm/node.ts'), { spy: true });

const auto = { type: 'auto', isa: 'auto', threads: 2 } as const;
const missing = (reason: string) => ({ addon: undefined, reason, details: undefined });

beforeEach(() => {
	vi.mocked(loadNative).mockReset();
	vi.mocked(loadWasm).mockReset();
});

/** The name and the threads of the backend that `auto` takes, and what it warns of. */
function automatic(): { name: string; description: string; warnings: string[] } {
	const warnings: string[] = [];
	const backend = createBackend(auto, (message) => warnings.push(message));
	backend.close();
	return { name: backend.name, description: backend.description, warnings };
}

it('takes WebAssembly where there are no native kernels, and says so', () => {
	vi.mocked(loadNative).mockReturnValue(missing('no compiler'));
	expect(automatic()).toEqual({
		name: 'wasm',
		description: 'relaxed-simd, 2 threads',
		warnings: [expect.stringMatching(/no compiler.*WebAssembly/)],
	});
});

it('takes the reference backend where there is neither', () => {
	vi.mocked(loadNative).mockReturnValue(missing('no compiler'));
	vi.mocked(loadWasm).mockReturnValue(missing('an old runtime'));
	const { name, warnings } = automatic();
	expect(name).toBe('reference');
	expect(warnings).toEqual([expect.stringMatching(/no compiler.*an old runtime.*very slow/)]);
});

it('takes WebAssembly by name, without a warning', () => {
	const warn = vi.fn();
	const backend = createBackend({ ...auto, type: 'wasm' }, warn);
	expect(backend.name).toBe('wasm');
	backend.close();
	expect(warn).not.toHaveBeenCalled();
});

it('takes a card only where it was asked for, and says what is missing', () => {
	vi.stubEnv('VULNTUNE_LIBCUDA', 'libcuda-that-is-not-there.so');
	expect(() => createBackend({ ...auto, type: 'cuda' }, () => {})).toThrow(
		expect.objectContaining({ code: expect.stringMatching(/^CUDA_(DRIVER|FFI)_MISSING$/), kind: 'runtime' }),
	);
	vi.unstubAllEnvs();
});
