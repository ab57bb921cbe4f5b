"""Text of sh or bash to the tree of model.py, by POSIX's grammar and what bash adds in practice."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NoReturn

from ...errors import SecretkitError
from .model import AndOr, Block, Command, Opaque, Pipeline, Redirect, Simple, Text, Variable, Word
from .words import Words

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=", re.ASCII)
_OPERATOR = re.compile(r";;&|;;|;&|&&|\|\||\|&|[;&|<>()]")
_REDIRECT = re.compile(r"(\d*)(<<<|<<-|<<|>>|<&|>&|<>|>\||&>>|&>|<(?!\()|>(?!\())")
_METHODS = {"until": "while", "select": "for", "{": "group"}
_RESERVED = ("then", "else", "elif", "fi", "do", "done", "esac", "}")
_DEPTH = 40  # of nested commands
_CHAIN = 200  # of && and ||, and of elif
_LARGEST = 1 << 18  # letters
_LINES = 10_000
_COMMANDS = 20_000
_REDIRECTS = 100  # of one command


class ScriptError(SecretkitError):
    """What no shell would take, or too deep to follow. `line` says where; no text is repeated."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(f"line {line}: {reason}")
        self.reason = reason
        self.line = line


def read(text: str) -> tuple[Command, ...]:
    """The commands of a script. Raises ScriptError."""
    if len(text) > _LARGEST:
        raise ScriptError("longer than 256 KiB", 1)
    if text.count("\n") > _LINES:
        raise ScriptError("longer than 10000 lines", 1)
    return Parser(text.replace("\r\n", "\n"), 1).script()


class Parser(Words):
    """Recursive descent over characters; the words are read by the class below it."""

    def __init__(self, text: str, line: int, depth: int = 0) -> None:
        super().__init__(text, line)
        self.depth = depth
        self.count = 0  # of commands

    def refuse(self, reason: str) -> NoReturn:
        raise ScriptError(reason, self.line)

    def script(self) -> tuple[Command, ...]:
        commands = self.commands(())
        if self.at < len(self.text):
            self.refuse("a word or sign that does not belong here")
        return commands

    def substitution(self) -> tuple[Command, ...]:
        """The commands of `$(…)`, after its first parenthesis; takes the closing one."""
        body = self.commands((")",))
        self.take(")")
        return body

    def nested(self, text: str, line: int) -> tuple[Command, ...]:
        return Parser(text, line, self.depth + 1).script()

    def commands(self, ends: Collection[str]) -> tuple[Command, ...]:
        """Commands up to one of `ends`, a reserved word or an operator, or the end of the text."""
        self.depth += 1
        if self.depth > _DEPTH:
            self.refuse("commands are nested too deeply")
        found: list[Command] = []
        while True:
            self.lines()
            if self.at >= len(self.text) or self.next_word() in ends or self.operator() in ends:
                break
            if self.next_word() in _RESERVED or self.operator() in (")", ";;"):
                break
            before = self.at
            found.append(self.and_or())
            operator = self.operator()
            if operator == "&":
                found[-1] = Block("&", (found[-1],), self.line)
            if operator in (";", "&"):
                self.at += 1
            if self.at == before:
                self.refuse("a word or sign that does not belong here")
        self.depth -= 1
        return tuple(found)

    def and_or(self) -> Command:
        left, length = self.pipeline(), 0
        while (operator := self.operator()) in ("&&", "||"):
            line, length = self.line, length + 1
            if length > _CHAIN:
                self.refuse("a chain that is too long")
            self.at += 2
            self.lines()
            left = AndOr(left, operator, self.pipeline(), line)
        return left

    def pipeline(self) -> Command:
        line = self.line
        negated = False
        while self.next_word() == "!":
            self.at += 1
            negated = not negated
        if negated:
            return Block("!", (self.pipeline(),), line)
        commands = [self.command()]
        while (operator := self.operator()) in ("|", "|&"):
            self.at += len(operator)
            self.lines()
            commands.append(self.command())
        return commands[0] if len(commands) == 1 else Pipeline(tuple(commands), line)

    def command(self) -> Command:
        self.blanks()
        self.count += 1
        if self.count > _COMMANDS:
            self.refuse("more than 20000 commands")
        line, word = self.line, self.next_word()
        if word in ("if", "while", "until", "for", "select", "case", "{", "function"):
            self.at += len(word)
            block: Block = getattr(self, f"_{_METHODS.get(word, word)}")(word, line)
        elif self.operator() == "(":
            self.at += 1
            if self.text.startswith("(", self.at) and (end := self.balanced(self.at - 1)):
                arithmetic = Opaque(text=self.text[self.at : end])
                self.at = end
                block = Block("((", (), line, words=(Word((arithmetic,), line),))
            else:
                block = Block("(", self.commands((")",)), line)
                self.take(")")
        else:
            return self.simple()
        redirects: list[Redirect] = []
        while self.redirect(redirects):
            pass
        return block._replace(redirects=tuple(redirects))

    def _if(self, _word: str, line: int, length: int = 0) -> Block:
        if length > _CHAIN:
            self.refuse("a chain that is too long")
        condition = self.commands(("then",))
        self.keyword("then")
        body = self.commands(("elif", "else", "fi"))
        if self.next_word() == "elif":
            at = self.line
            self.keyword("elif")
            return Block("if", body, line, condition, (self._if("elif", at, length + 1),))
        otherwise: tuple[Command, ...] = ()
        if self.next_word() == "else":
            self.keyword("else")
            otherwise = self.commands(("fi",))
        self.keyword("fi")
        return Block("if", body, line, condition, otherwise)

    def _while(self, word: str, line: int) -> Block:
        condition = self.commands(("do",))
        return Block(word, self.do(), line, condition)

    def _for(self, word: str, line: int) -> Block:
        self.blanks()
        if self.text.startswith("((", self.at):
            self.at = self.balanced(self.at) or self.refuse("a (( that is not closed")
            self.separators()
            return Block(word, self.do(), line)
        name = self.plain()
        self.lines()
        words: list[Word] = []
        if self.next_word() == "in":
            self.keyword("in")
            while (found := self.word()) is not None:
                words.append(found)
        self.separators()
        return Block(word, self.do(), line, name=name, words=tuple(words))

    def _case(self, word: str, line: int) -> Block:
        asked = self.word()
        self.lines()
        self.keyword("in")
        body: list[Command] = []
        while True:
            self.lines()
            if self.next_word() == "esac":
                break
            if self.operator() == "(":
                self.at += 1
            while self.word() is not None or self.operator() == "|":
                self.at += self.operator() == "|"
            self.take(")")
            body += self.commands((";;", ";&", ";;&", "esac"))
            if (operator := self.operator()) in (";;", ";&", ";;&"):
                self.at += len(operator)
            elif self.next_word() != "esac":
                self.refuse("a `case` without `esac`")
        self.keyword("esac")
        return Block(word, tuple(body), line, words=(asked,) if asked else ())

    def _group(self, word: str, line: int) -> Block:
        body = self.commands(("}",))
        self.keyword("}")
        return Block(word, body, line)

    def _function(self, _word: str, line: int) -> Block:
        name = self.plain()
        if self.operator() == "(":
            self.at += 1
            self.take(")")
        return self.function(name, line)

    def function(self, name: str, line: int) -> Block:
        self.lines()
        return Block("function", (self.command(),), line, name=name)

    def do(self) -> tuple[Command, ...]:
        self.lines()
        self.keyword("do")
        body = self.commands(("done",))
        self.keyword("done")
        return body

    def simple(self) -> Command:
        self.blanks()
        line = self.line
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            if self.redirect(redirects):
                continue
            start, at = self.at, self.line
            found = _ASSIGNMENT.match(self.text, start)
            if found and not words:
                self.at = found.end()
                value = self.value(at)
                if found[0].endswith("+="):  # X+=y is X="${X}y"
                    value = Word((Variable(found[1], quoted=True), *value.parts), at)
                assignments.append((found[1], value))
                continue
            word = self.word()
            if word is None:
                break
            words.append(word)
            if len(words) == 1 and word.literal == "[[":
                words += self.brackets()
            elif len(words) == 1 and self.operator() == "(":
                self.at += 1
                self.take(")")
                return self.function(self.text[start : self.at].partition("(")[0].strip(), line)
        if not (assignments or words or redirects):
            self.refuse("a word or sign that does not belong here")
        return Simple(tuple(assignments), tuple(words), tuple(redirects), line)

    def value(self, line: int) -> Word:
        """What is assigned: nothing, if a blank follows the `=`; an array of bash is opaque."""
        if self.text.startswith("(", self.at):
            self.at += 1
            while self.word() is not None or self.text.startswith("\n", self.at):
                self.lines()
            self.take(")")
            return Word((Opaque(),), line)
        after = self.text[self.at : self.at + 1]
        if not after or after in " \t\n;&|)":
            return Word((), line)
        return self.word() or Word((), line)

    def brackets(self) -> list[Word]:
        """What stands between `[[` and `]]`, where `&&`, `(` and `<` are no operators."""
        found: list[Word] = []
        while not found or found[-1].literal != "]]":
            self.lines()
            if self.at >= len(self.text):
                self.refuse("a [[ that is not closed")
            at, word = self.line, self.word()
            if word is None:
                word = Word((Text(self.operator()),), at)
                self.at += len(self.operator()) or 1
            found.append(word)
        return found

    def redirect(self, into: list[Redirect]) -> bool:
        """Takes one redirect, if that comes next."""
        self.blanks()
        found = _REDIRECT.match(self.text, self.at)
        if not found:
            return False
        if len(into) >= _REDIRECTS:
            self.refuse("more than 100 redirects")
        self.at = found.end()
        self.blanks()
        target = self.word()
        if target is None:
            self.refuse("a redirect without a file")
        literal = any(getattr(part, "quoted", False) for part in target.parts)
        if found[2] in ("<<", "<<-"):
            target = self.document(target.literal or "", tabs=found[2] == "<<-", literal=literal)
        into.append(Redirect(found[2], target, found[1], literal))
        return True

    # -- signs and reserved words -------------------------------------------------------------

    def operator(self) -> str:
        """The operator that comes next, not taken; empty if there is none."""
        self.blanks()
        found = _OPERATOR.match(self.text, self.at)
        return found[0] if found else ""

    def take(self, operator: str) -> None:
        self.lines()
        if not self.text.startswith(operator, self.at):
            self.refuse(f"a {operator} is missing")
        self.at += len(operator)

    def keyword(self, word: str) -> None:
        self.lines()
        if self.next_word() != word:
            self.refuse(f"`{word}` is missing")
        self.at += len(word)

    def separators(self) -> None:
        """Past one `;` and ends of lines."""
        if self.operator() == ";":
            self.at += 1
        self.lines()
