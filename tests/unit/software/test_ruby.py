"""The gems of a Ruby process are those of its Gemfile.lock, else of its gem folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.software import ruby
from tests.unit.software.programs import ask, look, make_tree

LOCK = """GEM
  remote: https://gems.example/
  specs:
    aws-eventstream (1.2.0)
    aws-sdk-core (3.46.0)
      aws-eventstream (~> 1.0)
    aws-sdk-s3 (1.30.0-x86_64-linux)
      aws-sdk-core (~> 3, >= 3.39.0)
    rails (5.2.3)

DEPENDENCIES
  aws-sdk-core (~> 2)
"""
SPEC = 's.add_{0}(%q<aws-sdk-core>.freeze, ["~> 3"])\n'
DEBIAN = "usr/share/rubygems-integration/all/specifications"
AGENT = "opt/td-agent/lib/ruby/gems/2.7.0"
BIN = "gem 'fluentd'\nload Gem.activate_bin_path('fluentd', 'fluentd', v)\n"
FILES = {
    f"{DEBIAN}/aws-sdk-core-3.168.1.gemspec": "",
    f"{DEBIAN}/aws-sdk-s3-1.117.2.gemspec": SPEC.format("runtime_dependency") * 2,
    f"{DEBIAN}/puma-5.6.5.gemspec": "",
    f"{DEBIAN}/notes.txt": "",
    f"{AGENT}/specifications/aws-sdk-core-3.46.0.gemspec": "",
    f"{AGENT}/specifications/aws-sdk-core-2.11.0-java.gemspec": "",
    f"{AGENT}/specifications/fluent-plugin-s3-1.3.0.gemspec": SPEC.format("dependency"),
    f"{AGENT}/specifications/fluentd-1.11.0.gemspec": "",
    f"{AGENT}/specifications/default/json-2.3.0.gemspec": "",
    f"{AGENT}/gems/aws-sdk-core-3.46.0/": "",
    "opt/td-agent/bin/fluentd": BIN,
    "usr/bin/ruby3.1": "",
}  # fmt: skip


def test_the_lock_file_says_what_is_loaded(tmp_path: Path) -> None:
    """Upwards from the script, through links; where the gem is, or the lock file."""
    gems = "srv/app/vendor/bundle/ruby/3.1.0/gems"
    make_tree(tmp_path, {**FILES, "srv/app/Gemfile.lock": LOCK, "srv/app/bin/jobs": "",
                         "usr/bin/jobs": "-> /srv/app/bin/jobs"})  # fmt: skip
    for script in ("/srv/app/bin/jobs", "/usr/bin/jobs"):
        found = ask(ruby, tmp_path, "/usr/bin/ruby3.1", "ruby", script, script=script)
        assert found == ["aws-sdk-core 3.46.0 in /srv/app/Gemfile.lock < aws-sdk-s3 1.30.0"]
    make_tree(tmp_path, {f"{gems}/aws-sdk-core-3.46.0/": ""})
    right = [f"aws-sdk-core 3.46.0 in /{gems}/aws-sdk-core-3.46.0 < aws-sdk-s3 1.30.0"]
    assert look(ruby, tmp_path, "/srv/app/Gemfile.lock") == right
    title = "puma 5.6.5 (tcp://:1) [app]"
    assert ask(ruby, tmp_path, "/usr/bin/ruby3.1", title, cwd="/srv/app") == [
        *right, "runs puma 5.6.5 by /usr/share/rubygems-integration/all/gems/puma-5.6.5",
    ]  # fmt: skip


def test_debians_gems_are_found(tmp_path: Path) -> None:
    """Their code is elsewhere, so the specification is what is named."""
    make_tree(tmp_path, FILES)
    right = f"aws-sdk-core 3.168.1 in /{DEBIAN}/aws-sdk-core-3.168.1.gemspec"
    assert ask(ruby, tmp_path, "/usr/bin/ruby3.1", "ruby", "-e", "1") == [
        f"{right} < aws-sdk-s3 1.117.2"
    ]
    assert look(ruby, tmp_path, f"/{DEBIAN}/aws-sdk-core-3.168.1.gemspec") == [right]


def test_an_agent_has_gems_of_its_own(tmp_path: Path) -> None:
    """Of two versions both are told: either can be loaded."""
    make_tree(tmp_path, FILES)
    script = "/opt/td-agent/bin/fluentd"
    found = ask(ruby, tmp_path, "/opt/td-agent/bin/ruby", "ruby", script, script=script)
    plugin = "fluent-plugin-s3 1.3.0"
    spec = f"/{AGENT}/specifications"
    assert found == [
        f"aws-sdk-core 2.11.0 in {spec}/aws-sdk-core-2.11.0-java.gemspec < {plugin}",
        f"aws-sdk-core 3.46.0 in /{AGENT}/gems/aws-sdk-core-3.46.0 < {plugin}",
        f"fluent-plugin-s3 1.3.0 in {spec}/fluent-plugin-s3-1.3.0.gemspec",
        f"runs fluentd 1.11.0 by {script}",
    ]


@pytest.mark.parametrize(
    ("script", "open_files"),
    [
        ("/srv/g/gems/ohai-16.0.0/bin/ohai", ()),
        ("", ("/srv/g/gems/nokogiri-1.8.0/lib/nokogiri.so",)),
        ("", ("/srv/g/extensions/x86_64-linux/2.7.0/nokogiri-1.8.0/x.so",)),
    ],
)
def test_gem_folders_are_told_by_paths(
    tmp_path: Path, script: str, open_files: tuple[str, ...]
) -> None:
    """Of the script, and of extensions that are mapped."""
    make_tree(tmp_path, {"srv/g/specifications/ohai-16.0.0.gemspec": "", script or "x": ""})
    found = ask(
        ruby, tmp_path, "/usr/bin/ruby2.7", "ruby", script, script=script, open_files=open_files
    )
    right = ["ohai 16.0.0 in /srv/g/gems/ohai-16.0.0" if script else
             "ohai 16.0.0 in /srv/g/specifications/ohai-16.0.0.gemspec"]  # fmt: skip
    assert found == right + ([f"runs ohai 16.0.0 by {script}"] if script else [])


def test_the_users_gems_and_rvms_are_found(tmp_path: Path) -> None:
    """Each manager keeps them elsewhere."""
    spec = "specifications/aws-sdk-v1-1.67.0.gemspec"
    for place in ("home/ops/.gem/ruby/2.7.0", "usr/local/rvm/gems/ruby-2.7.0"):
        tree = make_tree(tmp_path / place.replace("/", "-"), {f"{place}/{spec}": ""})
        found = ask(
            ruby, tree, "/usr/local/rvm/rubies/ruby-2.7.0/bin/ruby", "ruby", home="/home/ops"
        )
        assert found == [f"aws-sdk-v1 1.67.0 in /{place}/{spec}"]


@pytest.mark.parametrize(
    "path",
    ["/srv/rails-5.2.gemspec", "/srv/aws-sdk-core.gemspec", "/srv/Gemfile", "/specifications/x"],
)
def test_other_files_are_not_wanted(tmp_path: Path, path: str) -> None:
    """And other programs are not asked."""
    make_tree(tmp_path, FILES)
    assert not ruby.is_wanted(path)
    assert ask(ruby, tmp_path, "/usr/bin/python3.11", "python3") == []
