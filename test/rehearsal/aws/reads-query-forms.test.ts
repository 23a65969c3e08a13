import { parseQueryForm } from '../../../rehearsal/aws/protocols/query-form';

test('lists are in the order of their numbers, not of the form, and may have gaps', () => {
  const form = 'Names.member.10=j&Names.member.2=b&Names.member.1=a&Empty=&Text=1';
  expect(parseQueryForm(form)).toEqual({ Names: ['a', 'b', 'j'], Empty: '', Text: '1' });
});

test('structures nest in lists and lists in structures', () => {
  const form = 'A.member.1.B.C.member.1=x&A.member.1.B.C.member.2=a%26b+c&A.member.2.B.D=0';
  expect(parseQueryForm(form)).toEqual({ A: [{ B: { C: ['x', 'a&b c'] } }, { B: { D: '0' } }] });
});

test('names that contradict one another are rejected', () => {
  for (const form of ['A=1&A.B=2', 'A.member.0=1', 'A.member.x=1', 'A.member.1.member.-1=1']) {
    expect(() => parseQueryForm(form)).toThrow(expect.objectContaining({ code: 'MalformedInput' }) as Error);
  }
});

test('a name of JavaScript is a name like any other', () => {
  const value = parseQueryForm('__proto__.polluted=1');
  expect(Object.keys(value)).toEqual(['__proto__']);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});
