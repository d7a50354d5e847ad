import asyncio, time, pytest, sys
from tests.house import *
async def test_x(settings):
    for i in range(3):
        t=time.time(); s=await ServerProcess.start(settings); print("start",time.time()-t)
        t=time.time(); await s.kill(); print("kill",time.time()-t)
