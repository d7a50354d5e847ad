"""The main job, end to end: a case comes in, a planner takes it out, the client erases it."""

from __future__ import annotations

from tests.house import API, SCAN, House


async def test_a_case_comes_in_a_planner_takes_it_out_and_the_client_erases_it(
    house: House,
) -> None:
    case_id, scan = await house.planned_case()

    taken = await house.planner.download(case_id, scan["id"])
    assert taken[84:] != b""
    assert len(taken) == len(SCAN)
    plan = await house.planner.upload(case_id, b"%PDF-1.7 a plan", "plan", "plan.pdf")
    assert plan["state"] == "accepted"
    await house.planner.post(f"{API}/cases/{case_id}/completion")
    assert await house.dentist.download(case_id, plan["id"]) == b"%PDF-1.7 a plan"

    certificate = await house.dentist.erase(case_id)

    assert certificate["body"]["case_id"] == case_id
    case = await house.dentist.get(f"{API}/cases/{case_id}")
    assert case["state"] == "erased"
    assert case["patient"] is None
    assert case["files"] == []
