/** A message that left the account: published to a topic, or put on an event bus. */
export type Message =
  | { readonly at: Date; readonly topicArn: string; readonly subject: string | undefined; readonly text: string }
  | {
      readonly at: Date;
      readonly bus: string;
      readonly source: string;
      readonly detailType: string;
      readonly detail: unknown;
    };

/** What was sent, in order; it has no receiver here. */
export class Outbox {
  readonly messages: Message[] = [];

  constructor(private readonly sent: (message: Message) => void = () => undefined) {}

  send(message: Message): void {
    this.messages.push(message);
    this.sent(message);
  }
}
