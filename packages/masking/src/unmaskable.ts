// What could hold a masked value and cannot be read. Its message never holds the value.

export class Unmaskable extends Error {}
