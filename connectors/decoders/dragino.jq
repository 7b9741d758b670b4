# Dragino; the argument is the model: LHT65 (also LHT65N), LDDS75, LSE01. Numbers are the highest byte first (its manuals).
include "bytes";

def battery($at): (unsigned($at; 2) % 16384) / 1000;

def lht65: if .port != null and .port != 2 then error("port \(.port) has settings, not values") else . end
  | (unsigned(6; 1) % 16) as $ext | (bit(6; 6) == 1) as $old
  | if $ext == 15 then {}  # the identifier of the probe
    elif $old then error("a value kept while there was no network: it has a time of its own")
    else (if $ext == 9 then {TempC_DS: (signed(0; 2) / 100)} else {BatV: battery(0)} end)
      + {TempC_SHT: (signed(2; 2) / 100), Hum_SHT: ((unsigned(4; 2) % 4096) / 10)}
      + (if bit(6; 7) == 1 then {} elif $ext == 1 then {TempC_DS: (signed(7; 2) / 100)}
         elif $ext == 5 then {ILL_lx: unsigned(7; 2)} elif $ext == 6 then {ADC_V: {value: (unsigned(7; 2) / 1000), unit: "V"}}
         elif $ext == 7 then {count: unsigned(7; 2)} elif $ext == 8 then {count: unsigned(7; 4)} else {} end)
      | with_entries(select(.value != 327.67)) end;  # 0x7fff: no sensor

# 0 is no sensor, 20 something nearer than it can see.
def ldds75: {BatV: battery(0)} + (unsigned(2; 2) | if . == 0 or . == 20 then {} else {distance: {value: ., unit: "mm"}} end);

def lse01: {BatV: battery(0), soil_moisture: (unsigned(4; 2) / 100), soil_temperature: (signed(6; 2) / 100),
  conduct_soil: unsigned(8; 2)};

(.argument | ascii_upcase) as $model
| if $model | startswith("LHT65") then lht65 elif $model == "LDDS75" then ldds75 elif $model == "LSE01" then lse01
  else error("the argument must be LHT65, LDDS75 or LSE01") end
