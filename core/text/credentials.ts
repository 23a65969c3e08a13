/** The same without the names and passwords that stand before the hosts of its URLs: a message goes to logs. */
export function hideCredentials(text: string): string {
  return text.replace(/(:\/\/)[^\s"'<>]*@/g, '$1***@');
}
