import { Announced, AnnouncementKind, buildAnnouncement } from '../../core/cutover/announcement';
import type { Ports } from '../contract/ports';

/** Notifies operators and other systems. A step that is repeated may notify twice, and never fails because of it. */
export async function announce(kind: AnnouncementKind, run: Announced, { notifier }: Ports): Promise<void> {
  await notifier.tell(buildAnnouncement(kind, run, notifier.places));
}
