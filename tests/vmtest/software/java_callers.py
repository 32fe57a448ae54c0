"""Lists the callers in Java: old and new SDKs on class paths, in fat, shaded and nested archives.

The SDKs' jars are in packages of PyPI that bring them along; what these need is of Debian.
"""

from __future__ import annotations

from typing import Optional

from tests.vmtest.software.callers import Caller
from tests.vmtest.software.installations import PROGRAMS, Project, pip_download

_LIBRARIES = ("commons-logging", "commons-codec", "httpclient", "httpcore", "joda-time",
              "jackson-core", "jackson-databind", "jackson-annotations")  # fmt: skip
_DEBIANS = tuple(f"/usr/share/java/{name}.jar" for name in _LIBRARIES)
_PACKAGES = ("default-jdk-headless", "libcommons-logging-java", "libcommons-codec-java",
             "libhttpclient-java", "libjoda-time-java", "libjackson2-core-java",
             "libjackson2-databind-java", "libjackson2-annotations-java", "unzip")  # fmt: skip
_JAVA = ("java", "-Xshare:auto", "-XX:TieredStopAtLevel=1")
_CORE = "com.amazonaws:aws-java-sdk-core 1.11.238"
_HADOOP = "org.apache.hadoop:hadoop-aws 2.8.1"
# Of sagemaker-pyspark, with its parts of the SDK that do not send the requests.
_SAGEMAKER = "sagemaker_pyspark-1.2.0"
_OF_SDK1 = ("aws-java-sdk-core-1.11.238", "hadoop-aws-2.8.1", "hadoop-annotations-2.8.1")
_SDK2 = ("annotations", "auth", "aws-core", "endpoints-spi", "http-auth", "http-auth-aws",
         "http-auth-spi", "http-client-spi", "identity-spi", "json-utils", "metrics-spi",
         "profiles", "regions", "sdk-core", "third-party-jackson-core", "utils")  # fmt: skip
_OF_SDK2 = tuple(f"deephaven_server/jars/{name}-2.24.5.jar" for name in _SDK2)
_OTHERS = ("slf4j-api-2.0.16", "reactive-streams-1.0.4", "eventstream-1.0.1")
_LAUNCHED = "Main-Class: Nested"


def _sh(text: str) -> tuple[str, ...]:
    return ("sh", "-euc", text)


def _sdk1(program: str, *steps: str, launcher: bool = False) -> Project:
    """Return an application with the SDK for Java 1 in ``lib``, compiled into ``classes``."""
    sources = (program, "Nested") if launcher else (program,)
    return Project(
        tuple((f"src/{name}.java", _text(f"{name}.java")) for name in sources),
        (pip_download("sagemaker-pyspark==1.2.0", is_source=True),),
        (
            _sh(
                f"tar xzf {_SAGEMAKER}.tar.gz && mkdir lib classes launcher\n"
                + "".join(f"cp {_SAGEMAKER}/deps/jars/{name}.jar lib/\n" for name in _OF_SDK1)
                + f"cp -L {' '.join(_DEBIANS)} lib/\nrm -r {_SAGEMAKER} {_SAGEMAKER}.tar.gz\n"
                f"javac --release 11 -cp 'lib/*' -d classes src/{program}.java\n"
                + ("javac --release 11 -d launcher src/Nested.java\n" if launcher else "")
            ),
            *map(_sh, steps),
        ),
    )


def _sdk2(*steps: str, launcher: bool = False) -> Project:
    wheel = "deephaven_server-0.37.0-py3-none-any.whl"
    others = tuple(f"deephaven_server/jars/{name}.jar" for name in _OTHERS)
    return Project(
        tuple((f"src/{name}.java", _text(f"{name}.java")) for name in ("RoleBySdk2", "Nested")),
        (pip_download("deephaven-server==0.37.0"),),
        (
            _sh(
                "mkdir lib classes launcher\n"
                f"unzip -jq {wheel} {' '.join(_OF_SDK2 + others)} -d lib\n"
                f"rm {wheel}\njavac --release 11 -cp 'lib/*' -d classes src/RoleBySdk2.java\n"
                + ("javac --release 11 -d launcher src/Nested.java\n" if launcher else "")
            ),
            *map(_sh, steps),
        ),
    )


def _text(name: str) -> str:
    return (PROGRAMS / name).read_text(encoding="utf-8")


# Stored, not deflated: Spring Boot's own layout of jars within a jar.
_BOOT = (
    "mkdir -p boot/BOOT-INF && cp -r classes lib boot/BOOT-INF/ && cp launcher/*.class boot/\n"
    f"printf '{_LAUNCHED}\\n' > manifest\n"
    "jar --create --no-compress --file app.jar --manifest manifest -C boot .\n"
    "rm -r lib classes launcher boot src\n"
)
_SHADE = (
    "mkdir shaded && cp -r classes/. shaded/\n"
    'for jar in lib/*.jar; do unzip -qo "$jar" -d shaded; done\n'
    "rm -f shaded/META-INF/*.SF shaded/META-INF/*.RSA\n"
    "jar --create --file app.jar --main-class RoleBySdk1 -C shaded .\n"
    "rm -r lib classes shaded src\n"
)
_EAR = (
    "mkdir -p war/WEB-INF && mv lib classes war/WEB-INF/\n"
    "mkdir ear && jar --create --file ear/site.war -C war .\n"
    "jar --create --file app.ear -C ear . && rm -r war ear src\n"
)


def _caller(
    name: str,
    argv: tuple[str, ...],
    answer: tuple[str, ...],
    environment: Project,
    place: Optional[str] = None,
) -> Caller:
    return Caller(
        name, (*_JAVA, *argv), answer, environment, _PACKAGES, is_calling=True, place=place or ""
    )


_SDK2_FIRST = ("auth", "regions", "sdk-core")
_SDK2_FOUND = tuple(
    f"software.amazon.awssdk:{name} 2.24.5"
    for name in (*_SDK2_FIRST, *(each for each in _SDK2 if each not in _SDK2_FIRST))
    # Its group is Jackson's name, which is not asked for.
    if name != "third-party-jackson-core"
)
CALLERS = (
    _caller(
        "Java SDK 1 of 2017 on the class path",
        ("-cp", "classes:lib/*", "RoleBySdk1"),
        (_CORE, _HADOOP),
        _sdk1("RoleBySdk1"),
        "{env}/lib/aws-java-sdk-core-1.11.238.jar",
    ),
    _caller(
        "hadoop-aws 2.8",
        ("-cp", "classes:lib/*", "RoleByHadoop"),
        (_CORE, _HADOOP),
        _sdk1("RoleByHadoop"),
        "{env}/lib/aws-java-sdk-core-1.11.238.jar",
    ),
    _caller(
        "Java SDK 1 in a fat jar (BOOT-INF/lib)",
        ("-jar", "app.jar", "RoleBySdk1"),
        (_CORE, _HADOOP),
        _sdk1("RoleBySdk1", _BOOT, launcher=True),
        "{env}/app.jar!/BOOT-INF/lib/aws-java-sdk-core-1.11.238.jar",
    ),
    _caller(
        "Java SDK 1 in a shaded jar",
        ("-jar", "app.jar"),
        (_CORE, _HADOOP),
        _sdk1("RoleBySdk1", _SHADE),
        "{env}/app.jar",
    ),
    _caller(
        "Java SDK 1 in a war within an ear",
        ("-cp", "launcher", "Nested", "RoleBySdk1", "app.ear"),
        (_CORE, _HADOOP),
        _sdk1("RoleBySdk1", _EAR, launcher=True),
        "{env}/app.ear!/site.war!/WEB-INF/lib/aws-java-sdk-core-1.11.238.jar",
    ),
    _caller(
        "Java SDK 2 on the class path",
        ("-cp", "classes:lib/*", "RoleBySdk2"),
        _SDK2_FOUND,
        _sdk2(),
        "{env}/lib/auth-2.24.5.jar",
    ),
    _caller(
        "Java SDK 2 in a fat jar (BOOT-INF/lib)",
        ("-jar", "app.jar", "RoleBySdk2"),
        _SDK2_FOUND,
        _sdk2(_BOOT, launcher=True),
        "{env}/app.jar!/BOOT-INF/lib/auth-2.24.5.jar",
    ),
)
