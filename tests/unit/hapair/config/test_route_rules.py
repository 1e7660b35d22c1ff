"""Routes that nothing reaches are named, each where it stands."""

from hapair.config import load_text

FILE = """\
pair: {nodes: {a: 192.0.2.1, b: 192.0.2.2}}
frontends:
  web:
    listen: [":80"]
    pool: main
    routes:
      - {host: a.example.org, path: "/v1/*", pool: main}
      - host: [a.example.org]
        path: /v1/users
        deny: 403
      - {host: "*.example.org", pool: main}
%s
pools:
  main: {servers: {one: "192.0.2.3:80"}}
"""


def warnings(more: str = "") -> list[str]:
    return [str(warning) for warning in load_text(FILE % more).warnings]


def test_a_route_behind_a_wider_one() -> None:
    assert warnings() == [
        "hapair.yaml:8:9: frontends.web.routes[1]: is never reached: routes[0] in line 7 takes all that it matches"
    ]


def test_what_comes_after_a_route_without_conditions() -> None:
    assert warnings('      - redirect: "https://{hostname}{target}"\n      - {path: /x, pool: main}')[1:] == [
        "hapair.yaml:8:9: frontends.web.routes[1]: is never reached: routes[0] in line 7 takes all that it matches",
        "hapair.yaml:13:9: frontends.web.routes[4]: is never reached: routes[3] in line 12 takes all that it matches",
    ]


def test_a_default_pool_behind_such_a_route() -> None:
    assert warnings("      - {path: '/*', deny: 404}")[0] == (
        "hapair.yaml:5:5: frontends.web.pool: no request is left for it: routes[3] in line 12 takes every one"
    )


def test_maintenance_is_not_forgotten() -> None:
    assert warnings("    maintenance: true")[-1] == (
        "hapair.yaml:12:5: frontends.web.maintenance: is on: no request reaches a route or a pool"
    )
