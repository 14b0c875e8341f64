"""`yunwei`: the command line. A door: it reads arguments, calls services, prints; no decision is made here."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.text import Text

from yunwei.cli import account, assess, asset, contract, device, duties, evidence, keep, lab, platform, report, ticket
from yunwei.cli import inspect as inspection
from yunwei.cli.common import UNREACHABLE, USAGE, err
from yunwei.cli.contact import contact as first_contact
from yunwei.cli.deadline import deadline
from yunwei.kernel.errors import YunweiError, first_line, words
from yunwei.kernel.i18n import _

app = typer.Typer(
    name="yunwei",
    help="云维：电子政务云运维的执行与证明 (runs and proves the operation of an e-government cloud)",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    instance: Annotated[Path | None, typer.Option(help="实例目录 (instance folder)", envvar="YUNWEI_INSTANCE")] = None,
    lang: Annotated[str, typer.Option(help="zh-hans | en", envvar="YUNWEI_LANG")] = "zh-hans",
) -> None:
    """Remember the instance and the language for the command that follows."""
    from yunwei.kernel import i18n

    if lang not in {"zh-hans", "en"}:
        raise typer.BadParameter(f"{lang}: zh-hans | en", param_hint="--lang / YUNWEI_LANG")
    i18n.use(lang)
    if instance is not None:
        os.environ["YUNWEI_INSTANCE"] = str(instance.resolve())


app.command()(deadline)
app.command("contact", help="对资产表逐台做首次接触，登记应答者的身份，供甲方确认。")(first_contact)
app.command("inspect", help="查看一台设备，列出每个观测及其来源（OID、URI 或检查项）；凭据不写在命令行上。")(
    inspection.inspect
)
app.add_typer(inspection.collector, name="collector", help="采集端 (collector)")
app.add_typer(contract.app, name="contract", help="合同与服务方案 (contract and service plan)")
app.add_typer(duties.app, name="duty", help="义务履行 (duties)")
app.command("assess")(assess.assess)
app.command("payment")(assess.payment)
app.add_typer(assess.sheet, name="sheet", help="月度考核的评分、申诉、定分与签认 (monthly sheets)")
app.add_typer(assess.surprise, name="surprise", help="暗测 (the client's surprise tests)")
app.add_typer(asset.app, name="asset", help="资产、凭据与身份 (assets)")
app.add_typer(device.app, name="device", help="设备样本与厂商文件 (device samples)")
app.add_typer(ticket.app, name="ticket", help="服务台工单 (desk)")
app.add_typer(report.app, name="report", help="报告与信函 (reports and letters)")
app.add_typer(evidence.app, name="evidence", help="证据链 (evidence)")
app.add_typer(lab.app, name="lab", help="实验设备 (lab)")
app.add_typer(account.app, name="account", help="账号 (accounts)")
platform.register(app)
keep.register(app)


def _open_streams() -> None:
    """Give a program that was started without them its three standard streams.

    Else the next file or socket it opens takes their number, and children write into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
            os.set_inheritable(number, True)  # `serve` becomes another program
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _stopped(number: int, _frame: object) -> NoReturn:
    """Told to end: what a command has begun it takes back on its way out, as after Ctrl-C."""
    sys.exit(128 + number)


def main() -> None:
    """Run a command; an error of ours is one clear sentence on stderr and its exit code, never a traceback."""
    _open_streams()
    signal.signal(signal.SIGTERM, _stopped)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # a full disk is found here at the latest, where it can still be told
    except YunweiError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        _forget_output()
        sys.exit(1)
    except OSError as error:  # no such file, no permission, disk full: the system's own words and the place
        _forget_output()
        _say(words(error))
        sys.exit(USAGE)
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        if "OperationalError" not in kinds and kinds[0] != "DatabaseError":
            raise
        # the database is gone, locked, full or spoilt: Django's, psycopg's or SQLAlchemy's, whose import would cost every
        # command
        _say(_("数据库不可用：{error}").format(error=first_line(error)))
        sys.exit(UNREACHABLE)


def _forget_output() -> None:
    """What could not be written is tried again at the end of the program otherwise, and fails again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    err.print(Text("✗ ", style="red") + Text(text), soft_wrap=True)


if __name__ == "__main__":
    main()
