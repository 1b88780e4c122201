import type { Device } from './contract.ts';

/** The downloads of a backend whose kernels are done when their calls return. */
export function downloadsAtOnce(download: Device['download']): Pick<Device, 'download' | 'startDownload'> {
	return {
		download,
		startDownload(source) {
			const values = download(source);
			return () => values;
		},
	};
}
