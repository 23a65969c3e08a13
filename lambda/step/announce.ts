import { Announced, AnnouncementKind, buildAnnouncement } from '../../core/cutover/announcement';
import type { Ports } from '../contract/ports';

/** Tells whoever wants to know. A step that is repeated may tell twice, and never fails for it. */
export async function announce(kind: AnnouncementKind, run: Announced, { notifier }: Ports): Promise<void> {
  await notifier.tell(buildAnnouncement(kind, run, notifier.places));
}
