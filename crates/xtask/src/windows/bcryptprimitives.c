/*
 * bcryptprimitives.dll for Wine 8, which does not have it: Rust's standard library asks it for randomness at start.
 * Built beside the programs that run under Wine; never shipped.
 */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length); /* RtlGenRandom, in advapi32 */

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length)
{
    return SystemFunction036(buffer, (ULONG)length);
}
