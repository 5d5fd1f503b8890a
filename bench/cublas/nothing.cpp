// What starting a process costs.
int main() { return 0; }
