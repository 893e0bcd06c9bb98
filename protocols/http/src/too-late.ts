// A target that takes a request and answers nothing.

export class AnswerTooLate extends Error {
  constructor() {
    super('no answer came in time')
    this.name = 'AnswerTimeout'
  }
}
