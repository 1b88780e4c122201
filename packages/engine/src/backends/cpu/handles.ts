declare const kind: unique symbol;

/** Where something lies in native memory. Its own type, so that no size is taken for one. */
export type Address = number & { readonly [kind]: 'address' };

/** What kernels take for something that isn't there. */
export const NO_ADDRESS = 0 as Address;

/** An engine of the addon: threads, memory, and the kernels of one instruction set. */
export type EngineHandle = number & { readonly [kind]: 'engine' };
